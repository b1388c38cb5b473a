# topics.json is written by `make events` from the topics' rows: names, partitions, retention, who writes and reads, schemas.
locals {
  kafka  = jsondecode(file("${path.module}/topics.json"))
  topics = local.kafka.topics

  writes = flatten([for topic, row in local.topics : [for service in row.producers : { topic = topic, service = service, operation = "WRITE" }]])
  reads  = flatten([for topic, row in local.topics : [for service in row.consumers : { topic = topic, service = service, operation = "READ" }]])
  # Whoever parks records also takes them out again.
  redrives = [for grant in local.writes : merge(grant, { operation = "READ" }) if endswith(grant.topic, ".dlq")]
  grants   = { for grant in concat(local.writes, local.reads, local.redrives) : "${grant.service}/${grant.operation}/${grant.topic}" => grant }
}

resource "confluent_environment" "this" {
  display_name = var.name

  stream_governance {
    package = "ESSENTIALS"
  }
}

resource "confluent_kafka_cluster" "this" {
  display_name = var.name
  availability = "MULTI_ZONE"
  cloud        = var.cloud
  region       = var.region

  standard {}

  environment {
    id = confluent_environment.this.id
  }

  # The log is the one thing that cannot be made again from anything else.
  lifecycle {
    prevent_destroy = true
  }
}

# Makes topics and access lists; its key is used by Terraform alone.
resource "confluent_service_account" "operator" {
  display_name = "${var.name}-operator"
  description  = "Makes topics, access lists and schemas"
}

resource "confluent_role_binding" "operator" {
  principal   = "User:${confluent_service_account.operator.id}"
  role_name   = "CloudClusterAdmin"
  crn_pattern = confluent_kafka_cluster.this.rbac_crn
}

resource "confluent_api_key" "operator" {
  display_name = "${var.name}-operator"
  description  = "Topics and access lists of ${var.name}"

  owner {
    id          = confluent_service_account.operator.id
    api_version = confluent_service_account.operator.api_version
    kind        = confluent_service_account.operator.kind
  }

  managed_resource {
    id          = confluent_kafka_cluster.this.id
    api_version = confluent_kafka_cluster.this.api_version
    kind        = confluent_kafka_cluster.this.kind

    environment {
      id = confluent_environment.this.id
    }
  }

  depends_on = [confluent_role_binding.operator]
}

resource "confluent_kafka_topic" "this" {
  for_each = local.topics

  topic_name       = each.key
  partitions_count = each.value.partitions
  rest_endpoint    = confluent_kafka_cluster.this.rest_endpoint

  config = {
    "cleanup.policy"      = each.value.cleanup_policy
    "min.insync.replicas" = "2"
    "retention.ms"        = each.value.retention_ms
  }

  kafka_cluster {
    id = confluent_kafka_cluster.this.id
  }

  credentials {
    key    = confluent_api_key.operator.id
    secret = confluent_api_key.operator.secret
  }

  lifecycle {
    prevent_destroy = true
  }
}

resource "confluent_service_account" "service" {
  for_each = toset(local.kafka.services)

  display_name = "${var.name}-${each.key}"
  description  = "The service ${each.key}"
}

resource "confluent_api_key" "service" {
  for_each = confluent_service_account.service

  display_name = "${var.name}-${each.key}"
  description  = "The service ${each.key} at ${var.name}"

  owner {
    id          = each.value.id
    api_version = each.value.api_version
    kind        = each.value.kind
  }

  managed_resource {
    id          = confluent_kafka_cluster.this.id
    api_version = confluent_kafka_cluster.this.api_version
    kind        = confluent_kafka_cluster.this.kind

    environment {
      id = confluent_environment.this.id
    }
  }
}

resource "confluent_kafka_acl" "topic" {
  for_each = local.grants

  resource_type = "TOPIC"
  resource_name = each.value.topic
  pattern_type  = "LITERAL"
  principal     = "User:${confluent_service_account.service[each.value.service].id}"
  host          = "*"
  operation     = each.value.operation
  permission    = "ALLOW"
  rest_endpoint = confluent_kafka_cluster.this.rest_endpoint

  kafka_cluster {
    id = confluent_kafka_cluster.this.id
  }

  credentials {
    key    = confluent_api_key.operator.id
    secret = confluent_api_key.operator.secret
  }
}

# Consumer groups of a service begin with its name.
resource "confluent_kafka_acl" "group" {
  for_each = confluent_service_account.service

  resource_type = "GROUP"
  resource_name = each.key
  pattern_type  = "PREFIXED"
  principal     = "User:${each.value.id}"
  host          = "*"
  operation     = "READ"
  permission    = "ALLOW"
  rest_endpoint = confluent_kafka_cluster.this.rest_endpoint

  kafka_cluster {
    id = confluent_kafka_cluster.this.id
  }

  credentials {
    key    = confluent_api_key.operator.id
    secret = confluent_api_key.operator.secret
  }
}
