-- One row per evaluation of a gate, passes too, in the columns of both forms that dashboards know: the nested form
-- (validation_id … timestamp) and the flat one (validation_timestamp … details), which shows the gravest issue, the
-- first of `issues`. `is_valid` says whether the gate would let pass in mode blocking, whatever its mode was.
SELECT
  event_id AS validation_id,
  game_date,
  phase_name,
  blocking_outcome NOT IN ('block', 'error') AS is_valid,
  mode,
  issues,
  TO_JSON(STRUCT(
    actual_games AS actual_game_count,
    expected_games AS expected_game_count,
    actual_games AS game_count_actual,
    expected_games AS game_count_expected,
    quality_score AS quality_score
  )) AS metrics,
  evaluated_at AS `timestamp`,
  evaluated_at AS validation_timestamp,
  issues[SAFE_OFFSET(0)].validation_type AS validation_type,
  COALESCE(issues[SAFE_OFFSET(0)].severity, 'info') AS severity,
  issues[SAFE_OFFSET(0)].message AS message,
  issues[SAFE_OFFSET(0)].expected_value AS expected_value,
  issues[SAFE_OFFSET(0)].actual_value AS actual_value,
  issues[SAFE_OFFSET(0)].threshold AS threshold,
  IF(issues[SAFE_OFFSET(0)].message IS NULL, NULL, TO_JSON_STRING(STRUCT(
    issues[SAFE_OFFSET(0)].expected_value AS expected_count,
    issues[SAFE_OFFSET(0)].actual_value AS actual_count,
    issues[SAFE_OFFSET(0)].threshold AS threshold,
    issues[SAFE_OFFSET(0)].message AS message
  ))) AS details,
  sport,
  gate,
  cycle,
  outcome,
  definition
FROM (
  SELECT
    *,
    CASE gate
      WHEN 'scrape_to_raw' THEN 'phase1_to_phase2'
      WHEN 'raw_to_analytics' THEN 'phase2_to_phase3'
      WHEN 'analytics_to_precompute' THEN 'phase3_to_phase4'
      WHEN 'precompute_to_predictions' THEN 'phase4_to_phase5'
      WHEN 'predictions_to_publishing' THEN 'phase5_to_phase6'
      ELSE gate
    END AS phase_name,
    (
      SELECT MAX(SAFE_CAST(REGEXP_EXTRACT(c.basis, r'^([0-9.]+) of ') AS FLOAT64)) FROM UNNEST(checks) AS c
      WHERE c.`check` IN ('box_score_coverage', 'game_coverage')
    ) AS actual_games,
    (
      SELECT MAX(SAFE_CAST(REGEXP_EXTRACT(c.basis, r'^[0-9.]+ of ([0-9.]+)') AS FLOAT64)) FROM UNNEST(checks) AS c
      WHERE c.`check` IN ('box_score_coverage', 'game_coverage')
    ) AS expected_games,
    (SELECT MAX(c.measured) FROM UNNEST(checks) AS c WHERE c.`check` = 'feature_quality') AS quality_score,
    ARRAY(
      SELECT AS STRUCT
        CASE
          WHEN c.`check` IN ('box_score_coverage', 'game_coverage') THEN 'game_count'
          WHEN c.`check` IN ('required_processors', 'critical_processors') THEN 'processor_completion'
          WHEN c.`check` = 'feature_quality' THEN 'data_quality'
          ELSE c.`check`
        END AS validation_type,
        CASE c.verdict WHEN 'warn' THEN 'warning' ELSE 'error' END AS severity,
        CONCAT(c.`check`, ': ', COALESCE(c.error, c.basis)) AS message,
        TO_JSON(STRUCT(c.measured AS measured, c.warn AS warn, c.block AS block, c.basis AS basis)) AS details,
        SAFE_CAST(REGEXP_EXTRACT(c.basis, r'^[0-9.]+ of ([0-9.]+)') AS FLOAT64) AS expected_value,
        COALESCE(SAFE_CAST(REGEXP_EXTRACT(c.basis, r'^([0-9.]+) of ') AS FLOAT64), c.measured) AS actual_value,
        COALESCE(c.block, c.warn) AS threshold
      FROM UNNEST(checks) AS c
      WHERE c.verdict IN ('warn', 'block', 'error')
      ORDER BY CASE c.verdict WHEN 'block' THEN 0 WHEN 'error' THEN 1 ELSE 2 END, c.`check`
    ) AS issues
  FROM `{dataset}.gate_evaluations`
) AS evaluations
