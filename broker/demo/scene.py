"""Sets the scene: a synthetic area in a folder, its keys, its registers with their public halves, and its settings."""

import base64
import json
import shutil
from dataclasses import dataclass
from pathlib import Path

from broker.core.model.registers import ADMINISTRATOR, Registers
from broker.errors import InputError
from broker.kafkaaccess import KafkaAccess
from broker.registerfile import load_registers
from broker.sealing.secrets import new_master
from broker.sealing.signatures import Signer, load_signer, new_key
from broker.settings import Settings, load_settings
from broker.simulate.area import Area
from broker.simulate.arrival import Dispatch
from broker.simulate.truth import Claim
from broker.simulate.write import (
    ABOUT,
    REGISTERS_FILE,
    SETTINGS_FILE,
    Written,
    read_arrivals,
    read_truth,
    settings_text,
    write_area,
)


@dataclass(frozen=True)
class Scene:
    """Where the demo plays."""

    area: Area
    folder: Path
    registers: Registers
    arrivals: list[Dispatch]
    truth: list[Claim]
    written: Written

    @property
    def settings_file(self) -> Path:
        """The settings that every command takes."""
        return self.folder / SETTINGS_FILE

    @property
    def settings(self) -> Settings:
        """The settings."""
        return load_settings(self.settings_file)

    @property
    def registers_file(self) -> Path:
        """The registers as people keep them."""
        return self.folder / REGISTERS_FILE

    def signer(self, agency: str) -> Signer:
        """Return the key of an agency, or the administrator's."""
        return load_signer(self.folder / "keys", agency)


def set_scene(area: Area, folder: Path) -> Scene:
    """Write the area into its folder, in the place of the demo before; raises InputError where the folder is somebody's own."""
    clear(folder)
    written = write_area(area, folder)
    registers_file = folder / REGISTERS_FILE
    new_master(folder / "keys")
    registers = load_registers(registers_file)
    holders = [*registers.agencies, *registers.recipients, ADMINISTRATOR]
    entries = [_entry(new_key(folder / "keys", holder)) for holder in holders]
    with registers_file.open("a", encoding="utf-8") as out:
        out.writelines(entries)
    return Scene(area, folder, load_registers(registers_file), read_arrivals(folder), read_truth(folder), written)


def clear(folder: Path) -> None:
    """Take the demo before out of its folder; raises InputError when what is there was not written by a demo."""
    if folder.exists() and any(folder.iterdir()):
        if not (folder / ABOUT).exists():
            raise InputError(f"folder `{folder}` holds something that no demo wrote: name another with --folder")
        shutil.rmtree(folder)


def connect_scene(scene: Scene, kafka: str, access: KafkaAccess | None = None) -> None:
    """Write into the settings which Kafka it is, and how it lets one in; a password stays where it is."""
    scene.settings_file.write_text(settings_text(kafka) + (_access_text(access) if access else ""), encoding="utf-8")


def _access_text(access: KafkaAccess) -> str:
    told = access.model_dump(mode="json", exclude_none=True)
    return "\n[kafka_access]\n" + "".join(f"{name} = {json.dumps(value)}\n" for name, value in told.items())


def _entry(signer: Signer) -> str:
    public = base64.b64encode(signer.public_key).decode()
    return f'\n[[key]]\nid = "{signer.key_id}"\nholder = "{signer.holder}"\npublic_key = "{public}"\n'
