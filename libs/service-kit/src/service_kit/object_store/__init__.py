"""Files by their path in a folder, in S3 or in Google Cloud Storage, behind one port: `port` says what, `opening` finds which."""
