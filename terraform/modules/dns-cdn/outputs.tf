output "hosts" {
  description = "The name that people use, by jurisdiction."
  value       = local.hosts
}

output "name_servers" {
  description = "Where the domain's registrar must point to."
  value       = aws_route53_zone.this.name_servers
}
