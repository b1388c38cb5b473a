output "arns" {
  description = "The ARN of each secret by its service."
  value       = { for secret, resource in aws_secretsmanager_secret.this : secret => resource.arn }
}

output "names" {
  description = "The name of each secret by its service."
  value       = { for secret, resource in aws_secretsmanager_secret.this : secret => resource.name }
}
