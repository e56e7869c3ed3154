"""What an agency's integrator works with: `hub source`."""
