locals {
  # What a person must hear of: the services' own alerts come from Prometheus, these are of what AWS runs for them.
  alarms = merge(
    {
      database-busy = {
        namespace  = "AWS/RDS", metric = "CPUUtilization", statistic = "Average", above = true, threshold = 85, periods = 10
        dimensions = { DBInstanceIdentifier = var.database }, says = "PostgreSQL has been busy for ten minutes"
      }
      database-full = {
        namespace  = "AWS/RDS", metric = "FreeStorageSpace", statistic = "Minimum", above = false, periods = 5
        threshold  = var.database_storage_gib * 1024 * 1024 * 1024 / 10
        dimensions = { DBInstanceIdentifier = var.database }, says = "PostgreSQL has little storage left"
      }
      database-memory = {
        namespace  = "AWS/RDS", metric = "FreeableMemory", statistic = "Minimum", above = false, periods = 10
        threshold  = 256 * 1024 * 1024
        dimensions = { DBInstanceIdentifier = var.database }, says = "PostgreSQL has less than 256 MiB of memory left"
      }
      documents-throttled = {
        namespace  = "AWS/DynamoDB", metric = "ThrottledRequests", statistic = "Sum", above = true, threshold = 0, periods = 5
        dimensions = { TableName = var.table }, says = "Requests for documents are turned away"
      }
      lab-results-errors = {
        namespace  = "AWS/Lambda", metric = "Errors", statistic = "Sum", above = true, threshold = 0, periods = 1
        dimensions = { FunctionName = var.function }, says = "Documents of laboratories fail"
      }
      lab-results-parked = {
        namespace  = "AWS/SQS", metric = "ApproximateNumberOfMessagesVisible", statistic = "Maximum", above = true, threshold = 0, periods = 1
        dimensions = { QueueName = var.failed_queue }, says = "Documents of laboratories were parked: somebody must look at them"
      }
    },
    {
      for node in var.cache_nodes : "cache-full-${node}" => {
        namespace  = "AWS/ElastiCache", metric = "DatabaseMemoryUsagePercentage", statistic = "Maximum", above = true, threshold = 85, periods = 5
        dimensions = { CacheClusterId = node }, says = "Valkey is nearly full"
      }
    }
  )
}

resource "aws_sns_topic" "alarms" {
  name              = "${var.name}-alarms"
  kms_master_key_id = var.key_arn
}

resource "aws_cloudwatch_metric_alarm" "this" {
  for_each = local.alarms

  alarm_name          = "${var.name}-${each.key}"
  alarm_description   = each.value.says
  namespace           = each.value.namespace
  metric_name         = each.value.metric
  dimensions          = each.value.dimensions
  statistic           = each.value.statistic
  comparison_operator = each.value.above ? "GreaterThanThreshold" : "LessThanThreshold"
  threshold           = each.value.threshold
  period              = 60
  evaluation_periods  = each.value.periods
  treat_missing_data  = "notBreaching"
  alarm_actions       = [aws_sns_topic.alarms.arn]
  ok_actions          = [aws_sns_topic.alarms.arn]
}

# Where the cluster's collector sends the services' logs, which hold ids only.
resource "aws_cloudwatch_log_group" "services" {
  name              = "/${var.name}/services"
  retention_in_days = 365
  kms_key_id        = var.key_arn
}
