data "aws_iam_policy_document" "trust" {
  for_each = var.services

  statement {
    actions = ["sts:AssumeRoleWithWebIdentity"]

    principals {
      type        = "Federated"
      identifiers = [var.oidc_provider_arn]
    }

    # The service's own account in its own namespace, for AWS and for nobody else.
    condition {
      test     = "StringEquals"
      variable = "${var.oidc_issuer}:sub"
      values   = ["system:serviceaccount:${var.namespace}:${each.key}"]
    }

    condition {
      test     = "StringEquals"
      variable = "${var.oidc_issuer}:aud"
      values   = ["sts.amazonaws.com"]
    }
  }
}

data "aws_iam_policy_document" "service" {
  for_each = var.services

  statement {
    sid       = "OwnSecret"
    actions   = ["secretsmanager:GetSecretValue", "secretsmanager:DescribeSecret"]
    resources = [each.value.secret_arn]
  }

  statement {
    sid       = "Keys"
    actions   = concat(["kms:Decrypt"], try(each.value.bucket.writes, false) ? ["kms:GenerateDataKey"] : [])
    resources = each.value.key_arns
  }

  dynamic "statement" {
    for_each = each.value.bucket == null ? [] : [each.value.bucket]

    content {
      sid       = "OwnObjects"
      actions   = concat(["s3:GetObject"], statement.value.writes ? ["s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload"] : [])
      resources = ["${statement.value.arn}/*"]
    }
  }

  dynamic "statement" {
    for_each = each.value.bucket == null ? [] : [each.value.bucket]

    content {
      sid       = "OwnBucket"
      actions   = ["s3:ListBucket"]
      resources = [statement.value.arn]
    }
  }
}

resource "aws_iam_role" "service" {
  for_each = var.services

  name                 = "${var.name}-${each.key}"
  assume_role_policy   = data.aws_iam_policy_document.trust[each.key].json
  max_session_duration = 3600
}

resource "aws_iam_role_policy" "service" {
  for_each = var.services

  name   = "own"
  role   = aws_iam_role.service[each.key].id
  policy = data.aws_iam_policy_document.service[each.key].json
}
