output "alarm_topic_arn" {
  description = "Whom to tell is subscribed to it."
  value       = aws_sns_topic.alarms.arn
}

output "log_group" {
  description = "Where the services' logs go."
  value       = aws_cloudwatch_log_group.services.name
}
