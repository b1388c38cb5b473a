output "host" {
  description = "Where the primary answers, by TLS alone."
  value       = aws_elasticache_replication_group.this.primary_endpoint_address
}

output "port" {
  description = "Its port."
  value       = aws_elasticache_replication_group.this.port
}

output "nodes" {
  description = "What CloudWatch knows the nodes by."
  value       = [for index in range(1 + var.replicas) : format("%s-%03d", var.name, index + 1)]
}
