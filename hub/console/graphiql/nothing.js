// Stands in for a package whose code is never reached.
