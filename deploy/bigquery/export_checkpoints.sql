CREATE TABLE IF NOT EXISTS `tipoff.export_checkpoints` (
  `origin` STRING NOT NULL OPTIONS (description = "hash of the first event of the store"),
  `position` INT64 NOT NULL OPTIONS (description = "everything up to here is in the tables"),
  `hash` STRING NOT NULL OPTIONS (description = "of the event at that position"),
  `updated_at` TIMESTAMP NOT NULL OPTIONS (description = "when")
)
OPTIONS (description = "How far each store was exported; written in one step with the rows it speaks of.");
