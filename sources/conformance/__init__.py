"""What every source must pass: its declaration and its adapter, against a stand-in that breaks."""
