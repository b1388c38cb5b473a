# Places for secrets and no values: those are written by an operator or by a rotation and never pass through Terraform's state.
resource "aws_secretsmanager_secret" "this" {
  for_each = var.secrets

  name                    = "${var.name}/${each.key}"
  description             = "Settings of ${each.key} that nobody else may know"
  kms_key_id              = var.key_arn
  recovery_window_in_days = 30
}
