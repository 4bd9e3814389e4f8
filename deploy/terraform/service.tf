locals {
  # Settings that hold secrets. Their values never pass through Terraform.
  secrets = [
    "SLACK_WEBHOOK_URL",
    "SLACK_WEBHOOK_URL_ERROR",
    "SLACK_WEBHOOK_URL_WARNING",
    "TIPOFF_ALERT_WEBHOOK_URL",
    "TIPOFF_OPERATOR_TOKENS",
  ]

  audience = "tipoff-${var.project}" # what tokens of Pub/Sub and the scheduler are made out to

  # What each stage of the rollout sets; the names are overrides of the definition (docs/runbook.md).
  stages = {
    observe = {
      PHASE_COMMANDS_ENABLED   = "false"
      PHASE_VALIDATION_ENABLED = "false"
      SELF_HEAL_MODE           = "off"
    }
    gates_warn = {
      PHASE_COMMANDS_ENABLED = "false"
      PHASE_VALIDATION_MODE  = "warning"
      SELF_HEAL_MODE         = "off"
    }
    gates_block = {
      SELF_HEAL_MODE = "off"
    }
    heal_on_approval = {
      SELF_HEAL_MODE = "approval"
    }
    self_heal = {}
  }

  settings = {
    TIPOFF_DEFINITIONS       = var.definitions
    TIPOFF_HTTP_HOST         = "0.0.0.0"
    TIPOFF_HTTP_PORT         = "8080"
    TIPOFF_HTTP_PROXIES      = "169.254.0.0/16" # Cloud Run's own front end
    TIPOFF_LOG               = "info"
    TIPOFF_OPERATOR_ACCOUNTS = join(",", var.operators)
    TIPOFF_OPERATOR_AUDIENCE = local.audience
    TIPOFF_PUSH_ACCOUNTS     = join(",", [google_service_account.push.email, google_service_account.tick.email])
    TIPOFF_PUSH_AUDIENCE     = local.audience
    TIPOFF_RUNBOOK_URL       = var.runbook_url
    TIPOFF_STORE             = "firestore:${var.project}/${google_firestore_database.events.name}"
  }
}

resource "google_cloud_run_v2_service" "tipoff" {
  name     = "tipoff"
  location = var.region
  ingress  = "INGRESS_TRAFFIC_ALL"

  # Tipoff verifies every token itself. A token that Cloud Run has checked arrives without its signature, so only one of
  # the two can; Tipoff's check also holds the account, and answers a probe without one.
  invoker_iam_disabled = true
  deletion_protection  = true

  template {
    service_account                  = google_service_account.service.email
    timeout                          = "60s" # a request is given up by Tipoff after 30 s
    max_instance_request_concurrency = 250
    execution_environment            = "EXECUTION_ENVIRONMENT_GEN2"

    scaling {
      min_instance_count = var.instances_min
      max_instance_count = var.instances_max
    }

    containers {
      image = var.image
      args  = ["serve", "--no-ticker"] # time comes from the scheduler, for all instances alike

      ports {
        container_port = 8080
      }

      resources {
        cpu_idle          = false # commands leave and subscriptions are pulled between requests, too
        startup_cpu_boost = true
        limits = {
          cpu    = "1"
          memory = "1Gi"
        }
      }

      dynamic "env" {
        for_each = merge(local.settings, local.stages[var.stage])
        content {
          name  = env.key
          value = env.value
        }
      }

      dynamic "env" {
        for_each = google_secret_manager_secret.of
        content {
          name = env.key
          value_source {
            secret_key_ref {
              secret  = env.value.secret_id
              version = "latest"
            }
          }
        }
      }

      startup_probe {
        period_seconds    = 2
        timeout_seconds   = 2
        failure_threshold = 30
        http_get {
          path = "/readyz"
        }
      }

      # Whether it runs, not whether its store does: a new instance cannot mend a store.
      liveness_probe {
        period_seconds    = 10
        timeout_seconds   = 5
        failure_threshold = 3
        http_get {
          path = "/healthz"
        }
      }
    }
  }

  traffic {
    type    = "TRAFFIC_TARGET_ALLOCATION_TYPE_LATEST"
    percent = 100
  }

  depends_on = [google_secret_manager_secret_iam_member.service_reads, google_project_iam_member.service_stores]
}
