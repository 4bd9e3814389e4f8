CREATE TABLE IF NOT EXISTS `tipoff.gate_evaluations` (
  `event_id` STRING NOT NULL OPTIONS (description = "the event `gate_evaluated`"),
  `stream` STRING NOT NULL OPTIONS (description = "the stream: `sport/game_date`, with `/pulse` behind it, or `sport/control`"),
  `sport` STRING NOT NULL OPTIONS (description = "first part of the stream"),
  `game_date` DATE OPTIONS (description = "date in the league's zone; NULL on control streams"),
  `version` INT64 NOT NULL OPTIONS (description = "place in the stream: 1, 2, 3 without gaps"),
  `gate` STRING NOT NULL OPTIONS (description = "name of the gate"),
  `cycle` STRING NOT NULL OPTIONS (description = "tomorrow, same_day or overnight"),
  `mode` STRING NOT NULL OPTIONS (description = "disabled, warning or blocking"),
  `outcome` STRING NOT NULL OPTIONS (description = "what it did: pass, warn, block, error or skipped"),
  `blocking_outcome` STRING NOT NULL OPTIONS (description = "what it would have done in mode blocking"),
  `definition` STRING NOT NULL OPTIONS (description = "version of the definition it was decided under"),
  `evaluated_at` TIMESTAMP NOT NULL OPTIONS (description = "when"),
  `correlation` STRING NOT NULL OPTIONS (description = "what it belongs to"),
  `causation` STRING OPTIONS (description = "the input that caused it"),
  `checks` ARRAY<STRUCT<`check` STRING, `measured` FLOAT64, `warn` FLOAT64, `block` FLOAT64, `verdict` STRING, `basis` STRING, `error` STRING>> OPTIONS (description = "one for each check")
)
PARTITION BY game_date
CLUSTER BY sport, gate
OPTIONS (description = "Every evaluation of a gate, passes too, with each check's number and thresholds.");
