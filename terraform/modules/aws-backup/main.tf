data "aws_partition" "current" {}

data "aws_iam_policy_document" "trust" {
  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["backup.amazonaws.com"]
    }
  }
}

resource "aws_iam_role" "this" {
  name               = "${var.name}-backup"
  assume_role_policy = data.aws_iam_policy_document.trust.json
}

resource "aws_iam_role_policy_attachment" "this" {
  for_each = toset(["AWSBackupServiceRolePolicyForBackup", "AWSBackupServiceRolePolicyForRestores"])

  role       = aws_iam_role.this.name
  policy_arn = "arn:${data.aws_partition.current.partition}:iam::aws:policy/service-role/${each.key}"
}

resource "aws_backup_vault" "this" {
  name        = var.name
  kms_key_arn = var.key_arn
}

resource "aws_backup_vault" "copy" {
  provider = aws.backup

  name        = "${var.name}-copy"
  kms_key_arn = var.backup_key_arn
}

# Nobody, not even an administrator, deletes a backup before its time.
resource "aws_backup_vault_lock_configuration" "this" {
  backup_vault_name   = aws_backup_vault.this.name
  min_retention_days  = 7
  max_retention_days  = 2557
  changeable_for_days = 7
}

resource "aws_backup_vault_lock_configuration" "copy" {
  provider = aws.backup

  backup_vault_name   = aws_backup_vault.copy.name
  min_retention_days  = 7
  max_retention_days  = 2557
  changeable_for_days = 7
}

resource "aws_backup_plan" "this" {
  name = var.name

  dynamic "rule" {
    for_each = {
      daily   = { schedule = "cron(0 5 * * ? *)", days = var.keep_days }
      monthly = { schedule = "cron(0 6 1 * ? *)", days = var.keep_months_days }
    }

    content {
      rule_name         = rule.key
      target_vault_name = aws_backup_vault.this.name
      schedule          = rule.value.schedule
      start_window      = 60
      completion_window = 360

      lifecycle {
        delete_after = rule.value.days
      }

      copy_action {
        destination_vault_arn = aws_backup_vault.copy.arn

        lifecycle {
          delete_after = rule.value.days
        }
      }
    }
  }
}

# Whatever carries the tag is in the plan: the database and the table of documents say so themselves.
resource "aws_backup_selection" "this" {
  name         = "${var.name}-daily"
  iam_role_arn = aws_iam_role.this.arn
  plan_id      = aws_backup_plan.this.id
  resources    = ["*"]

  condition {
    string_equals {
      key   = "aws:ResourceTag/backup"
      value = "daily"
    }

    string_equals {
      key   = "aws:ResourceTag/cell"
      value = var.name
    }
  }
}
