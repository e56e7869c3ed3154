"""Values marked as wrong: by whom they were shown to, until their source has confirmed."""
