# Schemas are registered for those who read the log with other tools; the services themselves hold them in their code.
data "confluent_schema_registry_cluster" "this" {
  environment {
    id = confluent_environment.this.id
  }

  depends_on = [confluent_kafka_cluster.this]
}

resource "confluent_role_binding" "schemas" {
  principal   = "User:${confluent_service_account.operator.id}"
  role_name   = "DataSteward"
  crn_pattern = confluent_environment.this.resource_name
}

resource "confluent_api_key" "schemas" {
  display_name = "${var.name}-schemas"
  description  = "Schemas of ${var.name}"

  owner {
    id          = confluent_service_account.operator.id
    api_version = confluent_service_account.operator.api_version
    kind        = confluent_service_account.operator.kind
  }

  managed_resource {
    id          = data.confluent_schema_registry_cluster.this.id
    api_version = data.confluent_schema_registry_cluster.this.api_version
    kind        = data.confluent_schema_registry_cluster.this.kind

    environment {
      id = confluent_environment.this.id
    }
  }

  depends_on = [confluent_role_binding.schemas]
}

resource "confluent_schema" "event" {
  for_each = local.kafka.subjects

  subject_name  = each.key
  format        = "JSON"
  schema        = file("${path.module}/../../../${each.value}")
  rest_endpoint = data.confluent_schema_registry_cluster.this.rest_endpoint

  schema_registry_cluster {
    id = data.confluent_schema_registry_cluster.this.id
  }

  credentials {
    key    = confluent_api_key.schemas.id
    secret = confluent_api_key.schemas.secret
  }
}
