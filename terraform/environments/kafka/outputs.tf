output "bootstrap_servers" {
  description = "Where Kafka answers, by jurisdiction: kafka_bootstrap_servers of the cells' roots."
  value       = { us = module.us.bootstrap_servers, eu = module.eu.bootstrap_servers }
}

output "api_keys" {
  description = "User and password of each service, by jurisdiction; an operator writes them into the services' secrets."
  value       = { us = module.us.api_keys, eu = module.eu.api_keys }
  sensitive   = true
}

output "schema_registries" {
  description = "Where schemas are, by jurisdiction."
  value       = { us = module.us.schema_registry, eu = module.eu.schema_registry }
}
