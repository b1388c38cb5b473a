"""Object stores behind one port: S3 and what speaks like it, and Google Cloud Storage."""
