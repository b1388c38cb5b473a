output "vault_arn" {
  description = "The vault beside the cell."
  value       = aws_backup_vault.this.arn
}

output "copy_vault_arn" {
  description = "The vault in the backup region."
  value       = aws_backup_vault.copy.arn
}
