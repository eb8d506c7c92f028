"""An authority of the test's own and certificates from it, made by openssl.

    c = Certificates(folder)
    c.make("engine", "127.0.0.1")     # folder/engine/agent.pem and cafile.pem, as the engine wants them
    c.context("engine")               # an ssl.SSLContext of a server with that certificate
"""

import os
import ssl
import subprocess


class Certificates:
    def __init__(self, folder):
        self.folder = folder
        os.makedirs(folder, exist_ok=True)
        self._openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj", "/CN=Test authority",
                      "-keyout", "ca.key", "-out", "ca.pem")

    def _openssl(self, *words):
        subprocess.run(["openssl", *words], cwd=self.folder, check=True, capture_output=True)

    def make(self, name, *names):
        """names: DNS names or IP addresses that it is good for."""
        folder = os.path.join(self.folder, name)
        os.makedirs(folder)
        alt = ",".join(("IP:" if n[0].isdigit() else "DNS:") + n for n in names)
        with open(os.path.join(self.folder, name + ".ext"), "w") as f:
            f.write("subjectAltName=%s\n" % alt)
        self._openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj", "/CN=" + names[0], "-keyout", name + ".key", "-out", name + ".csr")
        self._openssl("x509", "-req", "-in", name + ".csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2", "-extfile", name + ".ext", "-out", name + ".pem")
        with open(os.path.join(folder, "agent.pem"), "w") as out:
            for part in (name + ".pem", name + ".key"):
                out.write(open(os.path.join(self.folder, part)).read())
        with open(os.path.join(folder, "cafile.pem"), "w") as out:
            out.write(open(os.path.join(self.folder, "ca.pem")).read())
        return folder

    def context(self, name, verify=False):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(os.path.join(self.folder, name, "agent.pem"))
        if verify:
            context.load_verify_locations(os.path.join(self.folder, "ca.pem"))
            context.verify_mode = ssl.CERT_REQUIRED
        return context
