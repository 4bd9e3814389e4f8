"""Pure folds and queries over events and states: what operators ask."""
