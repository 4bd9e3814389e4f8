output "service" {
  description = "The address of the service, for `tipoff doctor --service`."
  value       = google_cloud_run_v2_service.tipoff.uri
}

output "store" {
  description = "The store, for --store."
  value       = local.settings.TIPOFF_STORE
}

output "push" {
  description = "What `tipoff topics apply` needs for push subscriptions."
  value = {
    endpoint = "${google_cloud_run_v2_service.tipoff.uri}/v1/pubsub/push"
    account  = google_service_account.push.email
    audience = local.audience
  }
}
