/** Everyone of one kind, drawn with one call a joint however many there are. */
import * as THREE from '../../vendor/three.module.min.js';
import { solid, thin } from '../scene/forms.js';

/** @typedef {{name: string, form: THREE.BufferGeometry, at: number[], on?: number, thin?: boolean}} Joint */
/** @typedef {{height: number, hip: number, joints: Joint[]}} Rig */

const place = new THREE.Matrix4();
const turn = new THREE.Matrix4();
const angles = new THREE.Euler();
const quaternion = new THREE.Quaternion();
const at = new THREE.Vector3();
const size = new THREE.Vector3();

export class Troop {
  /** @param {Rig} rig @param {THREE.Object3D} parent */
  constructor(rig, parent) {
    this.rig = rig;
    this.parent = parent;
    this.size = 0;
    this.count = 0;
    /** One mesh for each form; left and right share theirs. @type {Map<THREE.BufferGeometry, THREE.InstancedMesh>} */
    this.meshes = new Map();
    this.shares = rig.joints.map((joint) => rig.joints.filter((other) => other.form === joint.form).length);
    this.turns = rig.joints.map((joint, i) => rig.joints.slice(0, i).filter((other) => other.form === joint.form).length);
    this.matrices = rig.joints.map(() => new THREE.Matrix4());
    /** @type {import('./pose.js').Body} */
    this.body = {
      x: 0, y: 0, z: 0, pitch: 0, yaw: 0, roll: 0, squash: 1,
      joints: Object.fromEntries(rig.joints.map((joint) => [joint.name, new Float32Array(3)])),
    };
    this.grow(8);
  }

  /** Room for so many. @param {number} wanted */
  grow(wanted) {
    if (wanted <= this.size) return;
    this.size = 2 ** Math.ceil(Math.log2(wanted));
    for (const mesh of this.meshes.values()) {
      this.parent.remove(mesh);
      mesh.dispose();
    }
    this.meshes.clear();
    this.rig.joints.forEach((joint, i) => {
      if (this.meshes.has(joint.form)) return;
      const mesh = new THREE.InstancedMesh(joint.form, joint.thin ? thin : solid, this.size * this.shares[i]);
      mesh.instanceMatrix.setUsage(THREE.DynamicDrawUsage);
      mesh.setColorAt(0, new THREE.Color());
      mesh.frustumCulled = false;
      mesh.name = joint.name;
      this.meshes.set(joint.form, mesh);
      this.parent.add(mesh);
    });
  }

  /** @param {number} wanted */
  begin(wanted) {
    this.grow(wanted);
    this.count = 0;
  }

  /**
   * Draw one more, as `this.body` is posed.
   * @param {{x: number, y: number, z: number, rotation: number}} where @param {number} scale @param {THREE.Color} color
   */
  add(where, scale, color) {
    const { body, rig, matrices } = this;
    const slot = this.count++;
    at.set(where.x, where.y + body.y * scale, where.z);
    quaternion.setFromEuler(angles.set(0, where.rotation + body.yaw, 0, 'YXZ'));
    place.compose(at, quaternion, size.set(scale, scale * body.squash, scale));
    if (body.pitch || body.roll || body.x || body.z) {
      const half = rig.height / 2;
      turn.makeTranslation(body.x, half, body.z);
      place.multiply(turn);
      place.multiply(turn.makeRotationFromEuler(angles.set(body.pitch, 0, body.roll)));
      place.multiply(turn.makeTranslation(0, -half, 0));
    }
    rig.joints.forEach((joint, i) => {
      const [x, y, z] = body.joints[joint.name];
      const [px, py, pz] = joint.at;
      turn.compose(at.set(px, py, pz), quaternion.setFromEuler(angles.set(x, y, z, 'YXZ')), size.set(1, 1, 1));
      matrices[i].multiplyMatrices(joint.on === undefined ? place : matrices[joint.on], turn);
      const mesh = /** @type {THREE.InstancedMesh} */ (this.meshes.get(joint.form));
      const index = slot * this.shares[i] + this.turns[i];
      mesh.setMatrixAt(index, matrices[i]);
      mesh.setColorAt(index, color);
    });
  }

  end() {
    this.rig.joints.forEach((joint, i) => {
      const mesh = /** @type {THREE.InstancedMesh} */ (this.meshes.get(joint.form));
      mesh.count = this.count * this.shares[i];
      mesh.visible = this.count > 0;
      mesh.instanceMatrix.needsUpdate = true;
      if (mesh.instanceColor) mesh.instanceColor.needsUpdate = true;
    });
  }
}
