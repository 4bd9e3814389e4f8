CREATE TABLE IF NOT EXISTS `tipoff.events` (
  `event_id` STRING NOT NULL OPTIONS (description = "unique over all streams"),
  `stream` STRING NOT NULL OPTIONS (description = "the stream: `sport/game_date`, with `/pulse` behind it, or `sport/control`"),
  `sport` STRING NOT NULL OPTIONS (description = "first part of the stream"),
  `game_date` DATE OPTIONS (description = "date in the league's zone; NULL on control streams"),
  `version` INT64 NOT NULL OPTIONS (description = "place in the stream: 1, 2, 3 without gaps"),
  `type` STRING NOT NULL OPTIONS (description = "kind of event, such as `completion_recorded`"),
  `schema_version` INT64 NOT NULL OPTIONS (description = "version of the fields in `data`"),
  `occurred_at` TIMESTAMP NOT NULL OPTIONS (description = "when it happened, as its sender says"),
  `recorded_at` TIMESTAMP NOT NULL OPTIONS (description = "when it was recorded; never decreasing within a stream"),
  `correlation` STRING NOT NULL OPTIONS (description = "what it belongs to"),
  `causation` STRING OPTIONS (description = "the event that caused it; NULL for what came from outside"),
  `actor` STRING NOT NULL OPTIONS (description = "who said or decided it"),
  `data` JSON NOT NULL OPTIONS (description = "its fields"),
  `hash` STRING NOT NULL OPTIONS (description = "of its bytes and of the hash before it in the stream"),
  `position` INT64 NOT NULL OPTIONS (description = "place in the store")
)
PARTITION BY game_date
CLUSTER BY sport, type
OPTIONS (description = "Every event, each once. The store is the truth; this is its copy.");
