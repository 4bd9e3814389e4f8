# The secrets, without their values: those are added by hand and never pass through Terraform's state (deploy/README.md).

resource "google_secret_manager_secret" "of" {
  for_each = var.secrets

  secret_id  = "tipoff-${lower(replace(each.key, "_", "-"))}"
  depends_on = [google_project_service.needed]

  replication {
    auto {}
  }
}
