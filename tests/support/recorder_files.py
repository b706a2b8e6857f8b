"""Small digital ECGs as recorders write them, made from samples: what is read back must be what went in."""

import base64
import json
import struct

import numpy as np

__all__ = ["aecg", "edf", "ishne", "kardia", "mfer", "muse", "sierra"]


def muse(leads, *, rate=500, step_uv=4.88, unit="MICROVOLTS"):
    """Make GE MUSE XML, a median block first; leads are whole steps by name."""

    def block(kind, rows):
        parts = "".join(
            f"<LeadData><LeadID>{name}</LeadID><LeadSampleCountTotal>{len(row)}</LeadSampleCountTotal>"
            f"<LeadAmplitudeUnitsPerBit>{step_uv}</LeadAmplitudeUnitsPerBit>"
            f"<LeadAmplitudeUnits>{unit}</LeadAmplitudeUnits><LeadSampleSize>2</LeadSampleSize>"
            f"<WaveFormData>{base64.b64encode(np.array(row, '<i2').tobytes()).decode()}</WaveFormData></LeadData>"
            for name, row in rows.items()
        )
        return f"<Waveform><WaveformType>{kind}</WaveformType><SampleBase>{rate}</SampleBase>{parts}</Waveform>"

    person = (
        "<PatientDemographics><PatientID>12345</PatientID><PatientAge>61</PatientAge><AgeUnits>YEARS</AgeUnits>"
        "<Gender>FEMALE</Gender><PatientLastName>EXAMPLE</PatientLastName></PatientDemographics>"
    )
    median = block("Median", {name: row[:3] for name, row in leads.items()})
    whole = (
        f"<?xml version='1.0' encoding='ISO-8859-1'?><RestingECG>{person}{median}{block('Rhythm', leads)}</RestingECG>"
    )
    return whole.encode("latin-1")


def sierra(leads, *, rate=500, step_uv=5):
    """Make Philips Sierra XML without compression; leads are whole steps by name."""
    count = len(next(iter(leads.values())))
    raw = b"".join(np.array(row, "<i2").tobytes() for row in leads.values())
    return (
        "<?xml version='1.0' encoding='UTF-8'?><restingecgdata xmlns='http://www3.medical.philips.com'>"
        "<documentinfo><documenttype>SierraECG</documenttype><documentversion>1.03</documentversion></documentinfo>"
        f"<dataacquisition><signalcharacteristics><samplingrate>{rate}</samplingrate><resolution>{step_uv}</resolution>"
        f"<numberchannelsvalid>{len(leads)}</numberchannelsvalid><acquisitiontype>STD-12</acquisitiontype>"
        "<signalsigned>True</signalsigned></signalcharacteristics></dataacquisition><waveforms>"
        f"<parsedwaveforms dataencoding='Base64' compressflag='False' numberofleads='{len(leads)}' "
        f"leadlabels='{' '.join(leads)}' durationperchannel='{1000 * count // rate}' samplespersecond='{rate}' "
        f"resolution='{step_uv}'>{base64.b64encode(raw).decode()}</parsedwaveforms></waveforms></restingecgdata>"
    ).encode()


def aecg(leads, *, increment_s="0.002", step=2.5, unit="uV"):
    """Make HL7 aECG; leads are whole steps by name."""
    sequences = "".join(
        f"<component><sequence><code code='MDC_ECG_LEAD_{name.upper()}' codeSystem='2.16.840.1.113883.6.24'/>"
        f"<value xsi:type='SLIST_PQ'><origin value='0' unit='{unit}'/><scale value='{step}' unit='{unit}'/>"
        f"<digits>{' '.join(map(str, row))}</digits></value></sequence></component>"
        for name, row in leads.items()
    )
    return (
        "<?xml version='1.0' encoding='UTF-8'?><AnnotatedECG xmlns='urn:hl7-org:v3' "
        "xmlns:xsi='http://www.w3.org/2001/XMLSchema-instance'><id root='1.2.3'/>"
        "<code code='93000' codeSystem='2.16.840.1.113883.6.12'/><component><series><id root='1.2.4'/>"
        "<code code='RHYTHM' codeSystem='2.16.840.1.113883.5.4'/><component><sequenceSet><component><sequence>"
        "<code code='TIME_ABSOLUTE' codeSystem='2.16.840.1.113883.5.4'/><value xsi:type='GLIST_TS'>"
        f"<head value='20200101120000.000' unit='s'/><increment value='{increment_s}' unit='s'/></value></sequence>"
        f"</component>{sequences}</sequenceSet></component></series></component></AnnotatedECG>"
    ).encode()


def edf(leads, *, per_record=250, record_s="1", unit="uV"):
    """Make EDF, one microvolt a step; leads are whole steps by name, of whole records."""
    count, records = len(leads), len(next(iter(leads.values()))) // per_record

    def fields(width, values):
        return b"".join(str(value).encode().ljust(width) for value in values)

    header = fields(8, ["0"]) + fields(80, ["X F 01-JAN-1950 Example_Name", "Startdate X X X X"])
    header += fields(8, ["01.01.20", "12.00.00", 256 * (count + 1)]) + fields(44, [""])
    header += fields(8, [records, record_s]) + fields(4, [count]) + fields(16, leads) + fields(80, [""] * count)
    header += fields(8, [unit] * count) + fields(8, [-32768] * count) + fields(8, [32767] * count)
    header += fields(8, [-32768] * count) + fields(8, [32767] * count)
    header += fields(80, [""] * count) + fields(8, [per_record] * count) + fields(32, [""] * count)
    rows = [np.array(row, "<i2").reshape(records, per_record) for row in leads.values()]
    return header + b"".join(row[number].tobytes() for number in range(records) for row in rows)


def ishne(leads, *, rate=200, step_nv=2500):
    """Make ISHNE; leads are whole steps by the codes of the standard, 5 to 16 for I to V6."""
    codes, rows = list(leads), np.array(list(leads.values()), "<i2")
    count = len(codes)
    header = bytearray(512)
    struct.pack_into("<ii", header, 0, 0, rows.shape[1])
    struct.pack_into("<iih", header, 8, 522, 522, 1)
    header[18:22] = b"Anna"
    struct.pack_into("<h", header, 146, count)
    struct.pack_into(f"<{count}h", header, 148, *codes)
    struct.pack_into(f"<{count}h", header, 196, *[step_nv] * count)
    struct.pack_into("<h", header, 262, rate)
    return b"ISHNE1.0" + struct.pack("<H", crc_ccitt(bytes(header))) + bytes(header) + rows.T.tobytes()


def crc_ccitt(content):
    """Compute the checksum of ISHNE: CRC-CCITT from 0xFFFF."""
    crc = 0xFFFF
    for byte in content:
        crc ^= byte << 8
        for _ in range(8):
            crc = (crc << 1 ^ 0x1021 if crc & 0x8000 else crc << 1) & 0xFFFF
    return crc


def mfer(leads, *, interval_us=4000, step_nv=1000):
    """Make MFER, little-endian, 16 bits; leads are whole steps by the codes of the standard, 1 for I, 2 for II."""
    rows = np.array(list(leads.values()), "<i2")

    def tag(number, data):
        return bytes([number, len(data)]) + data

    head = tag(0x40, b"MFR ECG" + bytes(25)) + tag(0x01, b"\x01") + tag(0x08, b"\x01")
    head += tag(0x0B, struct.pack("<BbH", 1, -6, interval_us)) + tag(0x0C, struct.pack("<BbH", 0, -9, step_nv))
    head += tag(0x04, struct.pack("<I", rows.shape[1])) + tag(0x05, struct.pack("<I", len(rows)))
    head += tag(0x06, struct.pack("<I", 1)) + tag(0x0A, b"\x00")
    for channel, code in enumerate(leads):
        head += bytes([0x3F, channel, 4]) + tag(0x09, struct.pack("<H", code))
    data = rows.tobytes()
    return head + bytes([0x1E, 0x84]) + struct.pack(">I", len(data)) + data + bytes([0x80, 0])


def kardia(leads, *, rate=300, step_nv=500):
    """Make Kardia's JSON; leads are whole steps by name, such as ``leadI``."""
    data = {"frequency": rate, "amplitudeResolution": step_nv, "numLeads": len(leads), "samples": leads}
    whole = {
        "id": "abc",
        "recordedAt": "2020-01-01T12:00:00Z",
        "duration": 30000,
        "algorithmDetermination": "normal",
        "data": {"raw": data},
    }
    return json.dumps(whole).encode()
