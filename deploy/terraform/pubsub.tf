# Topics and subscriptions themselves are made by `tipoff topics apply`: the definition names them, and one owner is
# enough (docs/decisions/0013-deployment.md). Here is only who may use them; `tipoff topics plan` says their names.

# A stage that starts nothing may publish nothing: what must not happen yet, cannot.
resource "google_pubsub_topic_iam_member" "service_publishes" {
  for_each = lookup(local.stages[var.stage], "PHASE_COMMANDS_ENABLED", "true") == "true" ? var.publish_topics : []

  topic  = each.key
  role   = "roles/pubsub.publisher"
  member = local.service_member
}

resource "google_pubsub_subscription_iam_member" "service_pulls" {
  for_each = var.pull_subscriptions

  subscription = each.key
  role         = "roles/pubsub.subscriber"
  member       = local.service_member
}

# A dead letter is moved by Pub/Sub itself: it publishes to the one and acknowledges at the other.
resource "google_pubsub_topic_iam_member" "pubsub_buries" {
  for_each = var.dead_letter_topics

  topic  = each.key
  role   = "roles/pubsub.publisher"
  member = local.pubsub_agent
}

resource "google_pubsub_subscription_iam_member" "pubsub_takes_away" {
  for_each = var.pull_subscriptions

  subscription = each.key
  role         = "roles/pubsub.subscriber"
  member       = local.pubsub_agent
}
