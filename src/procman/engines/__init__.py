"""The engines that run an application on other machines: their commands, and what their answers mean."""
