output "names" {
  description = "The full name of each bucket by its short one."
  value       = { for bucket in var.buckets : bucket => aws_s3_bucket.this[bucket].id }
}

output "arns" {
  description = "The ARN of each bucket by its short name."
  value       = { for bucket in var.buckets : bucket => aws_s3_bucket.this[bucket].arn }
}
