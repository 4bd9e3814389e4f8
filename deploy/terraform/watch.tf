# Who says that Tipoff is silent? Not Tipoff. These watches need nothing of it, and go to people by another way.

resource "google_monitoring_notification_channel" "people" {
  for_each = toset(var.notified)

  display_name = "Tipoff: ${each.key}"
  type         = "email"
  labels       = { email_address = each.key }
  depends_on   = [google_project_service.needed]
}

locals {
  people  = [for channel in google_monitoring_notification_channel.people : channel.id]
  runbook = "${var.runbook_url}#tipoff-itself-is-silent; `tipoff doctor` says which part it is."
}

# /readyz, because Cloud Run's front end keeps /healthz for itself. It answers 200 only if the store can be read.
resource "google_monitoring_uptime_check_config" "ready" {
  display_name = "Tipoff is ready"
  period       = "60s"
  timeout      = "10s"

  http_check {
    path         = "/readyz"
    port         = 443
    use_ssl      = true
    validate_ssl = true
  }

  monitored_resource {
    type = "uptime_url"
    labels = {
      project_id = var.project
      host       = trimprefix(google_cloud_run_v2_service.tipoff.uri, "https://")
    }
  }
}

resource "google_monitoring_alert_policy" "not_ready" {
  display_name          = "Tipoff is not ready"
  combiner              = "OR"
  severity              = "CRITICAL"
  notification_channels = local.people

  conditions {
    display_name = "not ready for 5 minutes, seen from two places"
    condition_threshold {
      filter          = "metric.type = \"monitoring.googleapis.com/uptime_check/check_passed\" AND resource.type = \"uptime_url\" AND metric.labels.check_id = \"${google_monitoring_uptime_check_config.ready.uptime_check_id}\""
      comparison      = "COMPARISON_GT"
      threshold_value = 1
      duration        = "300s"

      aggregations {
        alignment_period     = "120s"
        per_series_aligner   = "ALIGN_NEXT_OLDER"
        cross_series_reducer = "REDUCE_COUNT_FALSE"
        group_by_fields      = ["resource.label.host"]
      }
    }
  }

  documentation {
    content = local.runbook
  }
}

# The scheduler ticks every minute, so a service that works answers something every minute, whatever the pipeline does.
resource "google_monitoring_alert_policy" "silent" {
  display_name          = "Tipoff has answered nothing for 10 minutes"
  combiner              = "OR"
  severity              = "CRITICAL"
  notification_channels = local.people

  conditions {
    display_name = "no request was answered with success"
    condition_absent {
      filter   = "metric.type = \"run.googleapis.com/request_count\" AND resource.type = \"cloud_run_revision\" AND resource.labels.service_name = \"${google_cloud_run_v2_service.tipoff.name}\" AND metric.labels.response_code_class = \"2xx\""
      duration = "600s"

      aggregations {
        alignment_period     = "60s"
        per_series_aligner   = "ALIGN_RATE"
        cross_series_reducer = "REDUCE_SUM"
      }
    }
  }

  documentation {
    content = local.runbook
  }
}

resource "google_monitoring_alert_policy" "behind" {
  for_each = var.pull_subscriptions

  display_name          = "Tipoff is behind on ${each.key}"
  combiner              = "OR"
  severity              = "WARNING"
  notification_channels = local.people

  conditions {
    display_name = "a message has waited for 10 minutes"
    condition_threshold {
      filter          = "metric.type = \"pubsub.googleapis.com/subscription/oldest_unacked_message_age\" AND resource.type = \"pubsub_subscription\" AND resource.labels.subscription_id = \"${each.key}\""
      comparison      = "COMPARISON_GT"
      threshold_value = 600
      duration        = "300s"

      aggregations {
        alignment_period   = "60s"
        per_series_aligner = "ALIGN_MAX"
      }
    }
  }

  documentation {
    content = local.runbook
  }
}

# A dead letter is a message that could not be stored for more than an hour: `tipoff dlq list` has it, with its reason.
resource "google_monitoring_alert_policy" "dead_letters" {
  for_each = var.dead_letter_topics

  display_name          = "Tipoff has dead letters"
  combiner              = "OR"
  severity              = "WARNING"
  notification_channels = local.people

  conditions {
    display_name = "a dead letter waits"
    condition_threshold {
      filter          = "metric.type = \"pubsub.googleapis.com/subscription/num_undelivered_messages\" AND resource.type = \"pubsub_subscription\" AND resource.labels.subscription_id = \"${each.key}\""
      comparison      = "COMPARISON_GT"
      threshold_value = 0
      duration        = "300s"

      aggregations {
        alignment_period   = "60s"
        per_series_aligner = "ALIGN_MAX"
      }
    }
  }

  documentation {
    content = local.runbook
  }
}
