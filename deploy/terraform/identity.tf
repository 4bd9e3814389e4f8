# Three identities. The service may do what it does; whoever pushes or ticks may do nothing but say who it is.

resource "google_service_account" "service" {
  account_id   = "tipoff-service"
  display_name = "Tipoff: runs the service"
  depends_on   = [google_project_service.needed]
}

resource "google_service_account" "push" {
  account_id   = "tipoff-push"
  display_name = "Tipoff: Pub/Sub says with it that a push is its own"
  depends_on   = [google_project_service.needed]
}

resource "google_service_account" "tick" {
  account_id   = "tipoff-tick"
  display_name = "Tipoff: the scheduler says with it that a tick is its own"
  depends_on   = [google_project_service.needed]
}

locals {
  service_member = "serviceAccount:${google_service_account.service.email}"
  pubsub_agent   = "serviceAccount:service-${data.google_project.this.number}@gcp-sa-pubsub.iam.gserviceaccount.com"
}

# Pub/Sub makes the tokens of a push in the name of this one account.
resource "google_service_account_iam_member" "pubsub_makes_push_tokens" {
  service_account_id = google_service_account.push.name
  role               = "roles/iam.serviceAccountTokenCreator"
  member             = local.pubsub_agent
}

# Firestore has no roles below a database; the condition keeps the account to its own.
resource "google_project_iam_member" "service_stores" {
  project = var.project
  role    = "roles/datastore.user"
  member  = local.service_member

  condition {
    title      = "own database"
    expression = "resource.name == \"projects/${var.project}/databases/${google_firestore_database.events.name}\""
  }
}

resource "google_project_iam_member" "service_runs_queries" {
  project = var.project
  role    = "roles/bigquery.jobUser"
  member  = local.service_member
}

resource "google_bigquery_dataset_iam_member" "service_exports" {
  dataset_id = google_bigquery_dataset.tipoff.dataset_id
  role       = "roles/bigquery.dataEditor"
  member     = local.service_member
}

resource "google_bigquery_dataset_iam_member" "service_measures" {
  for_each = var.measured_datasets

  dataset_id = each.key
  role       = "roles/bigquery.dataViewer"
  member     = local.service_member
}

resource "google_secret_manager_secret_iam_member" "service_reads" {
  for_each = google_secret_manager_secret.of

  secret_id = each.value.id
  role      = "roles/secretmanager.secretAccessor"
  member    = local.service_member
}
