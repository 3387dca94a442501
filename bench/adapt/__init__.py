"""A method applied to a base model: option search, training or fitting, a predictor. May import `meters`, `config`, `metrics`, `tasks` and the rooms below them."""
