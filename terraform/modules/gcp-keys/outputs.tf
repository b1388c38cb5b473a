output "key_id" {
  description = "The key, once those who use it may."
  value       = google_kms_crypto_key.data.id

  depends_on = [google_kms_crypto_key_iam_member.user]
}
