# One table for documents: pk and sk say tenant, kind and id; what is asked otherwise has an index.
resource "aws_dynamodb_table" "this" {
  name                        = "${var.name}-documents"
  billing_mode                = "PAY_PER_REQUEST"
  hash_key                    = "pk"
  range_key                   = "sk"
  stream_enabled              = true
  stream_view_type            = "NEW_AND_OLD_IMAGES"
  deletion_protection_enabled = true

  dynamic "attribute" {
    for_each = concat(["pk", "sk"], flatten([for index in var.indexes : ["${index}_pk", "${index}_sk"]]))

    content {
      name = attribute.value
      type = "S"
    }
  }

  dynamic "global_secondary_index" {
    for_each = var.indexes

    content {
      name            = global_secondary_index.value
      hash_key        = "${global_secondary_index.value}_pk"
      range_key       = "${global_secondary_index.value}_sk"
      projection_type = "ALL"
    }
  }

  server_side_encryption {
    enabled     = true
    kms_key_arn = var.key_arn
  }

  point_in_time_recovery {
    enabled = true
  }

  tags = { backup = "daily" }
}
