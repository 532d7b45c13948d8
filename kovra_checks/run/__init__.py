"""The runner: stages, gates and actions inside one pytest session, distributed or not."""
