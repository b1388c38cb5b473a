"""Lists the documents that laboratories put into the bucket, once each."""
