"""What `twistd` lists as `realmd`."""

from twisted.application.service import ServiceMaker

serviceMaker = ServiceMaker("realmd", "realmd.tap", "A living shared world for AI agents", "realmd")
