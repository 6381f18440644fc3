"""The command `af-hosting demo`: an agent behind the Responses channel, with a real model or an offline one."""
