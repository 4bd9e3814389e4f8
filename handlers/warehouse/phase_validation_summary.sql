-- How often each boundary was valid: per game date, boundary and mode, over the last 30 days.
SELECT
  game_date,
  phase_name,
  mode,
  COUNTIF(is_valid) AS valid_count,
  COUNTIF(NOT is_valid) AS invalid_count,
  COUNT(*) AS total_validations,
  100 * SAFE_DIVIDE(COUNTIF(is_valid), COUNT(*)) AS success_rate_pct,
  MAX(`timestamp`) AS last_validation_time
FROM `{dataset}.phase_boundary_validations`
WHERE game_date >= DATE_SUB(CURRENT_DATE('America/New_York'), INTERVAL 30 DAY)
GROUP BY game_date, phase_name, mode
