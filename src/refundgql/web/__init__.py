"""What of HTTP belongs to the desk: viewers from tokens, evidence files, GraphiQL, health, and the app itself."""
