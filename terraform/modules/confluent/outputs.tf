output "bootstrap_servers" {
  description = "Where Kafka answers, as the cells' roots take it."
  value       = trimprefix(confluent_kafka_cluster.this.bootstrap_endpoint, "SASL_SSL://")
}

output "api_keys" {
  description = "User and password of each service; an operator writes them into the service's secret."
  value       = { for service, key in confluent_api_key.service : service => { user = key.id, password = key.secret } }
  sensitive   = true
}

output "schema_registry" {
  description = "Where schemas are, for those who read the log with other tools."
  value       = data.confluent_schema_registry_cluster.this.rest_endpoint
}
