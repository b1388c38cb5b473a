output "hosts" {
  description = "The name that people use, by jurisdiction."
  value       = module.edge.hosts
}

output "name_servers" {
  description = "Where the domain's registrar must point to."
  value       = module.edge.name_servers
}
