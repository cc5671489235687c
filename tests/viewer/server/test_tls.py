"""DICOM over TLS with certificates of both sides, against programs of others: dcmtk's storescu sends to our listener, ours sends to Orthanc."""

import shutil
import subprocess

import pytest

from tests.viewer.server.certificates import Certificates
from tests.viewer.server.conftest import free_port
from tests.viewer.server.orthanc import ORTHANC, Orthanc
from tests.viewer.server.small_dicom import bytes_of, ct_slice, send
from viewer.server.intake import Intake
from viewer.server.peers import PeerFailed, connected
from viewer.server.scp import start_listener
from viewer.server.settings import IntakeSettings, ListenSettings, Pacs, ServerSettings
from viewer.server.store import open_store

STORESCU = shutil.which("storescu")


@pytest.fixture(scope="module")
def certificates(tmp_path_factory) -> Certificates:
    return Certificates(tmp_path_factory.mktemp("tls") / "made")


@pytest.fixture
def port(tmp_path, certificates):
    """Of a listener that asks its senders for a certificate."""
    listen = ListenSettings(
        port=free_port(), callers=("CT1",), certificate=str(certificates.server), key=str(certificates.server_key), client_authority=str(certificates.authority)
    )
    store = open_store(f"sqlite:///{tmp_path / 'server.sqlite'}")
    server = start_listener(listen, Intake(store, ServerSettings(data=str(tmp_path / "data"), intake=IntakeSettings(keep_free_mb=0))))
    yield listen.port
    server.shutdown()
    store.close()


def test_only_who_shows_a_certificate_may_send(port, certificates):
    assert send(port, [ct_slice("1.2.3")]) == []
    assert send(port, [ct_slice("1.2.3")], tls=certificates.client()) == []
    assert send(port, [ct_slice("1.2.3")], tls=certificates.client(own=True)) == [0]


@pytest.mark.skipif(STORESCU is None, reason="no storescu here; install the package `dcmtk`")
def test_dcmtk_sends_over_tls(tmp_path, port, certificates):
    (tmp_path / "slice.dcm").write_bytes(bytes_of(ct_slice("1.2.3", PatientName="A")))
    own = ["+tls", certificates.client_key, certificates.client_file, "+cf", certificates.authority]
    command = [STORESCU, "-aet", "CT1", "-aec", "CCTA", *own, "127.0.0.1", port, tmp_path / "slice.dcm"]
    sent = subprocess.run(list(map(str, command)), capture_output=True, text=True)
    assert sent.returncode == 0, sent.stderr
    assert [path.name for path in (tmp_path / "data" / "studies").rglob("*.dcm")] == ["1.2.3.1.1.dcm"]


@pytest.mark.skipif(ORTHANC is None, reason="no Orthanc here; install the packages `orthanc` and `orthanc-dicomweb`")
def test_results_go_to_a_pacs_over_tls(tmp_path, certificates):
    made = {"DicomTlsCertificate": certificates.server, "DicomTlsPrivateKey": certificates.server_key, "DicomTlsTrustedCertificates": certificates.authority}
    orthanc = Orthanc(tmp_path / "orthanc", free_port(), DicomTlsEnabled=True, **{name: str(path) for name, path in made.items()})
    (tmp_path / "slice.dcm").write_bytes(bytes_of(ct_slice("1.2.3")))
    own = {"authority": str(certificates.authority), "certificate": str(certificates.client_file), "key": str(certificates.client_key)}
    try:
        for missing, trusted in ((("certificate", "key"), False), (("authority",), False), ((), True)):
            keys = {name: path for name, path in own.items() if name not in missing}
            pacs = Pacs(host="127.0.0.1", port=orthanc.dicom_port, ae_title="ORTHANC", tls=True, **keys)
            with connected(pacs, ServerSettings(data=str(tmp_path))) as peer:
                if trusted:
                    assert peer.store([tmp_path / "slice.dcm"]) == {} and peer.has("1.2.3", "1.2.3.1", "1.2.3.1.1")
                else:
                    with pytest.raises(PeerFailed, match="cannot be reached"):
                        peer.has("1.2.3", "1.2.3.1", "1.2.3.1.1")
    finally:
        orthanc.stop()
