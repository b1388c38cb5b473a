output "function" {
  description = "Name of the function."
  value       = aws_lambda_function.this.function_name
}

output "failed_queue" {
  description = "Queue of what it could not handle."
  value       = aws_sqs_queue.failed.name
}
