"""The environments of rmgym, registered by id; importing this imports none of them."""

from rmgym.registration import register

register("rmgym/Search-v0", "rmgym.envs.search.env:SearchEnv")
