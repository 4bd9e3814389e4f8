variable "project" {
  description = "The Google Cloud project that Tipoff runs in."
  type        = string
}

variable "region" {
  description = "Where the service and the scheduler are; near the pipeline's own services."
  type        = string
  default     = "us-west2"
}

variable "image" {
  description = "The container image, by digest: what was tested is what runs, and a rollback is the digest before."
  type        = string

  validation {
    condition     = can(regex("@sha256:[0-9a-f]{64}$", var.image))
    error_message = "Name the image by its digest: REGISTRY/NAME@sha256:…"
  }
}

variable "stage" {
  description = "How far the rollout has come: observe, gates_warn, gates_block, heal_on_approval or self_heal (docs/runbook.md)."
  type        = string
  default     = "observe"

  validation {
    condition     = contains(keys(local.stages), var.stage)
    error_message = "The stages are observe, gates_warn, gates_block, heal_on_approval and self_heal."
  }
}

variable "runbook_url" {
  description = "Where docs/runbook.md can be read; alerts link to it."
  type        = string
}

variable "definitions" {
  description = "The definitions that rule, as TIPOFF_DEFINITIONS takes them."
  type        = string
  default     = "nba"
}

variable "operators" {
  description = "Who may command: e-mail addresses, and @DOMAIN for everybody of a Google Workspace."
  type        = list(string)

  validation {
    condition     = length(var.operators) > 0
    error_message = "Name at least one operator: a blocked date waits for a person."
  }
}

variable "notified" {
  description = "E-mail addresses that hear when Tipoff itself is silent."
  type        = list(string)

  validation {
    condition     = length(var.notified) > 0
    error_message = "Name at least one address: a watch that tells nobody is none."
  }
}

variable "instances_min" {
  description = "Instances that are always there. With 0 the first message after a pause waits for a start, and so do commands."
  type        = number
  default     = 1
}

variable "instances_max" {
  description = "Instances at most. Each records with one thread; a busy night needs one, two are for rollouts."
  type        = number
  default     = 3
}

variable "firestore_location" {
  description = "Where the events are. Cannot be changed afterwards."
  type        = string
  default     = "us-west2"
}

variable "bigquery_location" {
  description = "Where the warehouse is; has to be that of the pipeline's tables."
  type        = string
  default     = "us-west2"
}

variable "measured_datasets" {
  description = "Datasets of the pipeline that gates measure; Tipoff reads them and writes none."
  type        = set(string)
  default     = ["nba_raw", "nba_analytics", "nba_precompute", "nba_predictions"]
}

variable "secrets" {
  description = "Settings whose values are secrets that exist; add a version to each before the service (deploy/README.md)."
  type        = set(string)
  default     = ["SLACK_WEBHOOK_URL", "SLACK_WEBHOOK_URL_ERROR", "SLACK_WEBHOOK_URL_WARNING"]

  validation {
    condition     = length(setsubtract(var.secrets, local.secrets)) == 0
    error_message = "A secret is one of ${join(", ", local.secrets)}."
  }

  validation {
    condition     = anytrue([for name in var.secrets : strcontains(name, "WEBHOOK")])
    error_message = "Name at least one webhook: alerts that go nowhere look like a quiet night."
  }
}

variable "publish_topics" {
  description = "Topics that commands leave on: those of the definition, made by `tipoff topics apply`."
  type        = set(string)
  default     = []
}

variable "pull_subscriptions" {
  description = "Subscriptions that messages are pulled from, made by `tipoff topics apply`."
  type        = set(string)
  default     = []
}

variable "dead_letter_topics" {
  description = "Topics that messages go to which could not be stored in many attempts, made by `tipoff topics apply`."
  type        = set(string)
  default     = []
}
