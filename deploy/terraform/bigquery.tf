# The dataset. Its tables and views are the program's own: an export makes what is missing, and deploy/bigquery shows it.

resource "google_bigquery_dataset" "tipoff" {
  dataset_id                 = "tipoff"
  description                = "What Tipoff recorded, exported for analysis. The truth is in Firestore; this can be exported again."
  location                   = var.bigquery_location
  delete_contents_on_destroy = false
  depends_on                 = [google_project_service.needed]
}
