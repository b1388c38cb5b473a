output "vpc_id" {
  description = "The VPC."
  value       = aws_vpc.this.id
}

output "cidr" {
  description = "Its addresses."
  value       = aws_vpc.this.cidr_block
}

output "node_subnets" {
  description = "Where nodes and functions run: one subnet a zone, out by NAT."
  value       = [for subnet in aws_subnet.node : subnet.id]
}

output "data_subnets" {
  description = "Where databases live: one subnet a zone, without a way out."
  value       = [for subnet in aws_subnet.data : subnet.id]
}
