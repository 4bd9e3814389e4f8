# Events, heads and the outbox (events/firestore.py). firestore.indexes.json beside this says the same to gcloud and the
# emulator. Nothing expires: events are the history, heads are their fold, and what is settled leaves the outbox by
# itself. So there is no TTL policy, and the database is protected against being deleted.

locals {
  indexes = {
    events = { scope = "COLLECTION_GROUP", fields = ["committed_at", "place"] }
    outbox = { scope = "COLLECTION", fields = ["requested_at", "place"] }
  }

  # Fields that no query asks for. Indexing them would be paid for with every write, and an index over instants or
  # hashes of a whole collection is what limits its writes.
  unindexed = {
    events  = ["body", "committed_at", "hash", "place", "stream"]
    outbox  = ["body", "place", "requested_at", "stream"]
    streams = ["hash", "state", "version"]
  }
}

resource "google_firestore_database" "events" {
  name                              = "tipoff"
  location_id                       = var.firestore_location
  type                              = "FIRESTORE_NATIVE"
  concurrency_mode                  = "OPTIMISTIC"
  point_in_time_recovery_enablement = "POINT_IN_TIME_RECOVERY_ENABLED"
  delete_protection_state           = "DELETE_PROTECTION_ENABLED"
  deletion_policy                   = "ABANDON"
  depends_on                        = [google_project_service.needed]
}

resource "google_firestore_backup_schedule" "daily" {
  database  = google_firestore_database.events.name
  retention = "1209600s" # 14 days

  daily_recurrence {}
}

resource "google_firestore_index" "of" {
  for_each = local.indexes

  database    = google_firestore_database.events.name
  collection  = each.key
  query_scope = each.value.scope

  dynamic "fields" {
    for_each = each.value.fields
    content {
      field_path = fields.value
      order      = "ASCENDING"
    }
  }
}

resource "google_firestore_field" "unindexed" {
  for_each = merge([
    for collection, fields in local.unindexed : { for field in fields : "${collection}.${field}" => [collection, field] }
  ]...)

  database   = google_firestore_database.events.name
  collection = each.value[0]
  field      = each.value[1]

  index_config {}
}
