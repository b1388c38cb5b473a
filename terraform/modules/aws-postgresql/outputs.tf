output "host" {
  description = "Where PostgreSQL answers; the name stays when the standby takes over."
  value       = aws_db_instance.this.address
}

output "port" {
  description = "Its port."
  value       = aws_db_instance.this.port
}

output "identifier" {
  description = "What CloudWatch knows it by."
  value       = aws_db_instance.this.identifier
}

output "arn" {
  description = "What backups know it by."
  value       = aws_db_instance.this.arn
}

output "admin_secret_arn" {
  description = "The secret with the administrator's password, which RDS makes and rotates."
  value       = aws_db_instance.this.master_user_secret[0].secret_arn
}
