# Time, from outside: a minute is the finest that Cloud Scheduler has. A tick that was missed is made up for by the next.
resource "google_cloud_scheduler_job" "tick" {
  name             = "tipoff-tick"
  description      = "Lets time come to Tipoff: deadlines that are due are acted on."
  region           = var.region
  schedule         = "* * * * *"
  time_zone        = "Etc/UTC"
  attempt_deadline = "30s"
  depends_on       = [google_project_service.needed]

  retry_config {
    retry_count          = 1
    min_backoff_duration = "5s"
  }

  http_target {
    http_method = "POST"
    uri         = "${google_cloud_run_v2_service.tipoff.uri}/v1/tick"

    oidc_token {
      service_account_email = google_service_account.tick.email
      audience              = local.audience
    }
  }
}
